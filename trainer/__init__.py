"""Small GPTs on token shards: the model, its batches, the loop and the evaluation."""

import os

# An OpenMP thread that spins while it waits stalls every step on a core that another process wants: with Ray's workers
# beside it a run took ten times as long. OpenMP reads this when torch is first imported, so it stands before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# On a GPU, cuBLAS adds in one and the same order only with a workspace of a fixed size.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
