# syntax=docker/dockerfile:1
# Built on the builder's own platform for each target platform, so that no emulated compiler runs:
#   docker buildx build --platform linux/amd64,linux/arm64 -t dynlint .
FROM --platform=$BUILDPLATFORM rust:1.95-slim-bookworm AS build
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64) target=x86_64-unknown-linux-musl cross=x86-64 ;; \
      arm64) target=aarch64-unknown-linux-musl cross=aarch64 ;; \
      *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    esac \
 && apt-get update \
 && apt-get install -y --no-install-recommends "gcc-$cross-linux-gnu" "libc6-dev-$TARGETARCH-cross" musl-tools \
 && rm -rf /var/lib/apt/lists/* \
 && rustup target add "$target" && echo "$target" > /target
ENV CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=x86_64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc \
    CC_x86_64_unknown_linux_musl=x86_64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_musl=aarch64-linux-gnu-gcc
WORKDIR /src
COPY . .
RUN cargo build --release --locked --features full --target "$(cat /target)" \
 && cp "target/$(cat /target)/release/dynlint" /dynlint

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /dynlint /usr/local/bin/dynlint
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/dynlint"]
CMD ["check"]
