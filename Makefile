# make test   everything: unit, conformance, whole program, race detector, real Kafka and HDFS. Needs Go, a C compiler, a JDK, Maven.
# make lint   formatting, vet, staticcheck
# make soak   long kill loops
# make bench  whole-program benchmarks: CPU seconds per million lines
.DEFAULT_GOAL := build
GOFUMPT     := go run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
PACKAGES    := ./... ./testdata/servertest ./testdata/script ./testdata/bench

.PHONY: build test lint generate soak bench fuzz clean

build:
	go build -o bin/collect .

test:
	go test ./runtime/sim ./providers/smartcar # not with -race: many runs, and a day of two million lines
	go test -race -short ./runtime/sim
	COLLECT_SERVERS=require go test -race -timeout 25m $$(go list $(PACKAGES) | grep -v -e /runtime/sim -e /testdata/script)
	COLLECT_SERVERS=require go test -race -timeout 25m -count=1 ./testdata/script

lint:
	@out=$$($(GOFUMPT) -l .); if [ -n "$$out" ]; then echo "not formatted (run gofumpt -w):"; echo "$$out"; exit 1; fi
	go vet $(PACKAGES)
	$(STATICCHECK) $(PACKAGES)
	@echo lint: ok

generate:
	UPDATE=1 go test ./providers -run TestReference -count=1

soak:
	COLLECT_SERVERS=require COLLECT_SOAK=1 COLLECT_SIM_SOAK=5000 go test -timeout 170m -count=1 -v -run 'Soak|NothingIsLost' ./testdata/script ./runtime/sim

bench:
	go run ./testdata/bench

clean:
	rm -rf bin testdata/servers
