//! Flags by component and Dynamo version, and router modes.
