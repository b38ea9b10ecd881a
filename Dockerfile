# An image with the hub and the sender, the libraries that they need, and nothing else: no shell, no root, some 30 MB.
# docs/install.md says how to run it, compose.yaml runs both.
ARG RUST=docker.io/library/rust:1-bookworm
FROM ${RUST} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates cmake libclang1-14 nasm tzdata \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --profile dist --locked --no-default-features --features hub,send \
        --bin streamflow-hub --bin streamflow-send \
    && mkdir -p /image/usr/bin /image/etc/ssl/certs /image/usr/share /image/tmp /state \
    && cp target/dist/streamflow-hub target/dist/streamflow-send /image/usr/bin/ \
    # What they are linked to, at the same places; names of hosts are looked up by the C library itself.
    && ldd /image/usr/bin/* | grep -o '/[^ ]*lib[^ ]*\.so[^ ]*' | sort -u | xargs cp --dereference --parents --target-directory=/image \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp -r /usr/share/zoneinfo /image/usr/share/ \
    && echo 'hosts: files dns' >/image/etc/nsswitch.conf \
    && echo 'streamflow:x:65532:65532::/state:/usr/sbin/nologin' >/image/etc/passwd \
    && printf 'streamflow:x:65532:\nvideo:x:44:\n' >/image/etc/group \
    && chmod 1777 /image/tmp && chmod 700 /state

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 /state /state
USER 65532:65532
# The hub's key and secrets. Without a volume each container is another hub to those who know the first.
ENV STREAMFLOW_STATE=/state
VOLUME /state
EXPOSE 8002
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s CMD ["/usr/bin/streamflow-hub", "check"]
# In a container 127.0.0.1 is the container: who may reach the hub is what `-p` says.
CMD ["/usr/bin/streamflow-hub", "--listen", "0.0.0.0"]
