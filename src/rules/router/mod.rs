//! How requests find their worker: router modes, KV events, and what both sides must agree on.

mod events;
#[allow(dead_code)] // the rules on single settings come next
mod knobs;
#[allow(dead_code)]
mod mode;
mod publisher;
mod settings;
mod workers;

pub use events::{backend_cannot_publish, events_unused, kv_router_no_events, kv_router_partial_events};
pub use publisher::{
    kv_events_without_prefix_cache, sglang_events_schema, trtllm_event_buffer_without_publish, vllm_events_not_enabled,
};
