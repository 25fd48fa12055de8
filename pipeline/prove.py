"""The proxy step: a small GPT trained on the token shards, its losses in the step's counts.

torch is imported when the step runs and not before, since nothing else needs it.
"""

from dataclasses import asdict

from pipeline.steps import Counts, Task
from trainer.config import Training


def train(task: Task) -> Counts:
    from trainer.proxy import train_proxy

    config = Training.model_validate(task.params["training"])
    result = train_proxy(
        task.inputs["tokens"],
        config,
        task.params["seed"],
        progress=lambda step, loss: task.report(step / config.steps),
    )
    # Seconds are in timing.json: what is counted is the same on every run.
    return {"proxy": {key: value for key, value in asdict(result).items() if key != "seconds"}}
