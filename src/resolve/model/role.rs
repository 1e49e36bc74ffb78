//! What a service is: its role and its engine.

/// What a service does in serving, as its own process will see it (never as the operator labels it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// HTTP frontend with the router in it.
    Frontend,
    /// Prefill worker of a disaggregated deployment.
    Prefill,
    /// Decode worker of a disaggregated deployment.
    Decode,
    /// Worker that does both.
    Aggregated,
    /// Multimodal encode worker.
    Encode,
    /// Standalone router (`dynamo.router`, `dynamo.global_router`).
    Router,
    /// Planner.
    Planner,
    /// Endpoint picker of the Gateway API inference extension.
    Epp,
    /// Anything else.
    Other,
}

impl Role {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Aggregated => "aggregated",
            Self::Encode => "encode",
            Self::Router => "router",
            Self::Planner => "planner",
            Self::Epp => "epp",
            Self::Other => "other",
        }
    }

    /// Whether it runs an engine.
    #[must_use]
    pub const fn is_worker(self) -> bool {
        matches!(self, Self::Prefill | Self::Decode | Self::Aggregated | Self::Encode)
    }
}

/// The engine of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framework {
    /// `dynamo.vllm`
    Vllm,
    /// `dynamo.sglang`
    Sglang,
    /// `dynamo.trtllm`
    Trtllm,
    /// `dynamo.mocker`
    Mocker,
    /// `dynamo.tokenspeed`
    Tokenspeed,
}

impl Framework {
    /// Lower-case name as in `dynamo.NAME`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Trtllm => "trtllm",
            Self::Mocker => "mocker",
            Self::Tokenspeed => "tokenspeed",
        }
    }

    /// The name users know: `vLLM`, `SGLang`, `TensorRT-LLM`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Trtllm => "TensorRT-LLM",
            Self::Mocker => "mocker",
            Self::Tokenspeed => "tokenspeed",
        }
    }
}
