"""A bare process: does the read step's parts that it is told on standard input, with nobody to look after it.

In: one line of JSON, then a line for each start. Out: a line when it is warm, a line when it is done.
"""

import json
import sys

from pipeline import read
from pipeline.steps import Task


def main() -> None:
    work = json.loads(sys.stdin.readline())
    for kind in ("warm_up", "parts"):
        for number, part in work[kind]:
            read.run(Task(f"{work['out']}/{kind}", number, part, work["params"], {}))
        print("done", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
