// Package deploy holds what an operator installs beside the binary: systemd units, a crontab, a Dockerfile and the configuration of a
// NATS server. It has no code but the tests that hold these files to what they promise.
package deploy
