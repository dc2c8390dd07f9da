# The digest is that of a multi-platform index, for amd64 and arm64.
FROM golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
# Modules change rarely; a separate layer makes rebuilds faster.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /set-org-secret .

# Only the program and the CA certificates for TLS; no shell.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /set-org-secret /set-org-secret
# There is no USER on purpose: only root can write the files that the runner mounts,
# such as GITHUB_OUTPUT.
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
ENTRYPOINT ["/set-org-secret"]
