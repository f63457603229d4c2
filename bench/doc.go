// Command bench measures ldapsync against the servers' own speed, on real servers: how much longer than ldapsearch it takes to
// read a directory, how much longer than a bare COPY to fill Django's tables, and what a whole pass costs.
//
// It starts an slapd and a PostgreSQL of its own on loopback, fills the directory, measures each process with the kernel's
// accounting of it, several times, and takes medians. A ratio compares only what was measured in the same run. The table goes to
// standard output; results.json, cost.svg and the figures in README.md are written into this directory.
//
// make bench runs it. The environment says how: N users (100000), RUNS of everything (3), SIZES in place of N and a tenth of it
// ("100000 1000000"), TMPDIR for the servers' data, and BENCH_PROFILE, a directory for profiles of
// CPU, allocations and SQL statements: then the stages run inside this program and nothing is written here.
//
// Everything it starts ends with it, even when it is killed; then only its directory in TMPDIR is left.
package main
