# Three images, each one static binary: docker build --target proxy .   (or `make images`)
#
# Nothing else is inside, no shell and no libc, so there is nothing to patch and nothing to run after
# a break-in. The price is that debugging needs `kubectl debug`.

# Any image with Debian's packages, or with a cargo of its own. Debian's rustc-web follows the
# releases closely (bookworm-security has 1.96); rust-toolchain.toml speaks to rustup only.
ARG BUILDER=docker.io/library/debian:bookworm

FROM ${BUILDER} AS source
RUN command -v cargo >/dev/null || { apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates cargo-web gcc libc6-dev; }
WORKDIR /src
COPY . .

# One stage for each binary, built alone as in `make build`. The cache mount lets them share what
# they have in common; it isn't in any image, so the binary is copied out of it in the same step.
# Every checkout is /src in here and cargo goes by file times, so without the touch an older checkout
# would get the binary of a newer one.
FROM source AS build-proxy
RUN --mount=type=cache,id=mesh-target,target=/src/target,sharing=locked \
    touch */src/*.rs && cargo build --locked --release -p mesh-proxy && cp target/*/release/mesh-proxy /

FROM source AS build-controller
RUN --mount=type=cache,id=mesh-target,target=/src/target,sharing=locked \
    touch */src/*.rs && cargo build --locked --release -p mesh-controller && cp target/*/release/mesh-controller /

FROM source AS build-identity
RUN --mount=type=cache,id=mesh-target,target=/src/target,sharing=locked \
    touch */src/*.rs && cargo build --locked --release -p mesh-identity && cp target/*/release/mesh-identity /

# 2102 is the uid that interception leaves alone, so the proxy must run as it; the control plane
# takes the same one for want of a reason to differ.
FROM scratch AS proxy
COPY --from=build-proxy /mesh-proxy /mesh-proxy
USER 2102
ENTRYPOINT ["/mesh-proxy"]

FROM scratch AS controller
COPY --from=build-controller /mesh-controller /mesh-controller
USER 2102
ENTRYPOINT ["/mesh-controller"]

FROM scratch AS identity
COPY --from=build-identity /mesh-identity /mesh-identity
USER 2102
ENTRYPOINT ["/mesh-identity"]
