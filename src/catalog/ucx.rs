//! UCX value grammars and transport-list algebra (UCX v1.21.0 `src/ucs/config/parser.c`, `src/ucp/core/ucp_context.c`).
