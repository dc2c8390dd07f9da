# The pin is a multi-arch index, so amd64 and arm64 build from the same line.
FROM golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
WORKDIR /src
# The modules change rarely: a layer of their own keeps rebuilds short.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY internal ./internal
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /set-org-secret .

# Nothing but the program and what TLS needs: no shell to be tricked into.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /set-org-secret /set-org-secret
# Root on purpose, so there is no USER: the runner mounts its command files for
# root alone, and another user could not write GITHUB_OUTPUT.
# https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support#user
ENTRYPOINT ["/set-org-secret"]
