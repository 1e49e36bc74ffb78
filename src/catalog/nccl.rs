//! NCCL value grammars (NCCL v2.30.7 `src/misc/param.cc`, `src/graph/paths.cc`).
