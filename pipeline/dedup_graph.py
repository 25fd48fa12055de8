"""From a recipe's dedup keys to the steps in which documents of a group of sources meet.

    filter ─► (cutoff) ─► (url keys ─► url) ─► keys ─┬─► exact ──────────────────────────────────┬─► (tally ─► repeated)
    of each source                                   └─► pairs ─► clusters ─► shingles ─► verify ─┴──────────► documents

What stays true: a group's steps are the same whatever order its sources were named in, but for who wins.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from corpus import storage
from corpus.strict import RecipeError
from dedup.preference import MOST_EARLIER
from pipeline import copies, documents, keys, near, repeated, similar
from pipeline.dedup_recipe import Dedup, near_of
from pipeline.recipe import Recipe
from pipeline.source_graph import MET_BY
from pipeline.steps import Step

# A source's steps up to its filter, by role, the number of its first input file, and how many it has.
Chain = tuple[dict[str, Step], int, int]


def dedup_steps(recipe: Recipe, chains: Mapping[str, Chain]) -> list[Step]:
    """The steps from every source's filter to its documents, which are called SOURCE.documents."""
    together = {name: group for group in recipe.dedup.across for name in group}
    steps: list[Step] = []
    done: set[str] = set()
    for name in recipe.sources:
        if name not in done:
            group = together.get(name, [name])
            done |= set(group)
            steps += _group_steps(recipe, group, chains)
    if recipe.dedup.against and not any(_earlier_of(step) for step in steps):
        raise RecipeError(
            f"dedup.against: nothing in {', '.join(recipe.dedup.against)} can be compared with any source"
        )
    return steps


def _earlier_of(step: Step) -> Sequence[Any]:
    earlier: Sequence[Any] = step.params["group"]["earlier"]
    return earlier


def _group_steps(recipe: Recipe, names: Sequence[str], chains: Mapping[str, Chain]) -> list[Step]:
    """`names` are in the order of who wins; steps and places are in the order of the recipe."""
    dedup = recipe.sources[names[0]].dedup
    ordered = [name for name in recipe.sources if name in names]
    group = {
        "sources": [
            {"name": name, "first_shard": chains[name][1], "parts": chains[name][2], "priority": names.index(name)}
            for name in ordered
        ],
        "earlier": _earlier(recipe, dedup),
    }
    inputs = {f"{name}.{role}": step for name in ordered for role, step in chains[name][0].items() if role in MET_BY}
    met = _meeting_steps("+".join(ordered), recipe, dedup, group, inputs) if dedup.compares_documents else {}
    steps = list(met.values())
    answers = {role: step for role, step in met.items() if role in ("url_keys", "url", "keys", "exact", "verify")}
    place = 0
    for name in ordered:
        own = {role: step for role, step in inputs.items() if role.startswith(f"{name}.")}
        steps += _last_steps(name, recipe, {"group": group, "first_place": place}, {**own, **answers}, chains[name])
        place += chains[name][2]
    return steps


def _meeting_steps(
    name: str, recipe: Recipe, dedup: Dedup, group: Mapping[str, Any], inputs: Mapping[str, Step]
) -> dict[str, Step]:
    """The steps of a group, by role."""
    memory = recipe.dedup.memory
    wanted = near_of(dedup)
    shared = {"group": group, "memory": memory, "survivor": dedup.stays}
    own = [source["parts"] for source in group["sources"]]
    places = sum(own) + sum(source["parts"] for source in group["earlier"])
    runs = partial(keys.runs_of_places, sources=group["sources"])
    found: dict[str, Step] = {}

    def add(
        role: str, run: Any, params: Mapping[str, Any], roles: Sequence[str], parts: Any, finish: Any = None
    ) -> None:
        there = {**inputs, **found}
        found[role] = Step(f"{name}.{role}", run, {**shared, **params}, {r: there[r] for r in roles}, parts, finish)

    if dedup.url:
        add("url_keys", keys.write_keys, {"by": "url", "near": None}, list(inputs), runs, copies.write_runs)
        ranges = partial(copies.hash_ranges, keys="url_keys", over=group, memory=memory)
        add("url", copies.find_copies, {"keys": "url_keys"}, ["url_keys"], ranges)
    if not (dedup.exact or wanted):
        return found
    by = {"by": "exact" if dedup.exact else None, "near": wanted}
    add("keys", keys.write_keys, by, [*inputs, *found], runs, copies.write_runs)
    if dedup.exact:
        ranges = partial(copies.hash_ranges, keys="keys", over=group, memory=memory)
        add("exact", copies.find_copies, {"keys": "keys"}, ["keys"], ranges)
    if wanted:
        add("pairs", near.find_pairs, {}, ["keys"], partial(near.key_ranges, over=group, memory=memory))
        add("clusters", near.find_clusters, {}, ["keys", "pairs"], (None,))
        same = ["keys", "exact"] if dedup.exact else []
        add("shingles", similar.gather, {"near": wanted}, [*inputs, *same, "clusters"], list(range(places)))
        threshold = (
            dedup.minhash.threshold if dedup.minhash else dedup.containment.threshold if dedup.containment else 0
        )
        params = {"near": wanted, "threshold": threshold}
        add("verify", similar.verify_members, params, ["shingles"], partial(similar.member_ranges, memory=memory))
    return found


def _last_steps(
    name: str, recipe: Recipe, shared: Mapping[str, Any], inputs: Mapping[str, Step], chain: Chain
) -> list[Step]:
    """From verdicts to documents; lines are counted in each source by itself."""
    dedup = recipe.sources[name].dedup
    wanted = near_of(dedup)
    shared = {**shared, "measure": wanted["measure"] if wanted else None}
    inputs = dict(inputs)
    parts = list(range(chain[2]))
    steps = []
    lines = dedup.lines if dedup.lines and not dedup.lines.first else None
    if lines:
        memory = recipe.dedup.memory
        inputs["tally"] = Step(f"{name}.tally", repeated.tally, shared, dict(inputs), parts, repeated.write_chunks)
        found = {"group": shared["group"], "memory": memory, "keep": lines.keep}
        ranges = partial(repeated.tally_ranges, memory=memory)
        inputs["repeated"] = Step(f"{name}.repeated", repeated.find_repeated, found, {"tally": inputs["tally"]}, ranges)
        steps += [inputs["tally"], inputs["repeated"]]
    params = {
        **shared,
        "first_shard": chain[1],
        "near": wanted,
        "exact": dedup.exact,
        "lines": lines.model_dump(exclude={"first"}) if lines else None,
    }
    return [*steps, Step(f"{name}.documents", documents.write, params, inputs, parts)]


def _earlier(recipe: Recipe, dedup: Dedup) -> list[dict[str, Any]]:
    """The sources of earlier runs whose documents can be compared with this group's."""
    if len(recipe.dedup.against) > MOST_EARLIER:
        raise RecipeError(f"dedup.against: {len(recipe.dedup.against)} runs, and {MOST_EARLIER} are the most")
    found = []
    for number, run in enumerate(recipe.dedup.against):
        path = storage.join(run, "summary.json")
        if not storage.exists(path):
            raise RecipeError(f"dedup.against: {path} is not there: {run} is not the folder of a finished run")
        for name, step in storage.read_json(path)["steps"].items():
            if name.endswith(".documents"):
                folder = storage.join(run, step["folder"])
                if not storage.exists(storage.join(folder, "step.json")):
                    raise RecipeError(f"dedup.against: {folder} is not there any more: run the recipe of {run} again")
                found += _comparable(storage.read_json(storage.join(folder, "step.json")), folder, number, dedup)
    # A summary has them by name, and places are in the order of ids.
    return sorted(found, key=lambda source: (source["number"], source["first_shard"]))


def _comparable(manifest: Mapping[str, Any], folder: str, number: int, dedup: Dedup) -> list[dict[str, Any]]:
    """An earlier run's documents step as a member of a group, if it has left anything to compare by."""
    params, wanted = manifest["params"], near_of(dedup)
    if wanted and params["near"] and params["near"] != wanted:
        raise RecipeError(
            f"dedup.against: {folder} was signed with {params['near']} and this recipe asks for {wanted}; "
            "signatures can only be compared where these are equal"
        )
    if not ((wanted and params["near"]) or (dedup.exact and params["exact"])):
        return []
    parts = sum(name.startswith("verdicts-") for name in manifest["files"])
    entry = {"name": manifest["step"], "first_shard": params["first_shard"], "parts": parts}
    return [{**entry, "number": number, "folder": folder, "key": manifest["key"]}]
