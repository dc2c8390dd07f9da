# The digest is that of a multi-platform index, for amd64 and arm64.
FROM golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
# Modules change rarely; a separate layer makes rebuilds faster.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
# The tree of the image, complete and with one fixed time, so that each build of a
# commit gives the same layer. Only the program and the CA certificates for TLS.
RUN mkdir -p /image/etc/ssl/certs && \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags='-s -w' -o /image/set-org-secret . && \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ && \
    find /image -exec touch -h -d @0 {} +

# No shell.
FROM scratch
# One COPY of the whole tree: a second one would make directories with the present time.
COPY --from=build /image/ /
# The source, the revision and the version are labels too, which only the release knows.
LABEL org.opencontainers.image.title="set-org-secret" \
      org.opencontainers.image.description="Creates or updates a GitHub organization secret" \
      org.opencontainers.image.licenses="MIT"
# There is no USER on purpose: only root can write the files that the runner mounts,
# such as GITHUB_OUTPUT.
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
ENTRYPOINT ["/set-org-secret"]
