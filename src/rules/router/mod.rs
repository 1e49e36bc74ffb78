//! How requests find their worker: router modes, KV events, and what both sides must agree on.
