//! Prefill and decode apart: which worker does what, and how KV cache gets from one to the other.
