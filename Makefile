CONFIG ?= configs/quickstart.json
export DOTNET_CLI_TELEMETRY_OPTOUT = 1
export DOTNET_NOLOGO = 1

.PHONY: run build test fuzz fmt lint schema bench bench-scale bench-load bench-scaling rollout-gates soak kill rollouts clean

run: build            ## build, start demo origins and the gateway, print what to try
	@bin/gateway demo --config $(CONFIG)

build:                ## bin/gateway and bin/gatewayctl
	@dotnet publish cmd/gateway -c Release -o bin --nologo -v quiet
	@dotnet publish cmd/gatewayctl -c Release -o bin --nologo -v quiet

test: lint build      ## everything a contributor must pass
	@dotnet build Gateway.sln -c Release --nologo -v quiet
	@bin/gateway schema | diff -u configs/gateway.schema.json - || { echo "configs/gateway.schema.json is stale: run 'make schema'"; exit 1; }
	@tests/run

fuzz:                 ## the response parser against its reference, then the short way against Kestrel, SECONDS=300 each, SEED= to repeat a run
	@dotnet build tests/core -c Release --nologo -v quiet
	@dotnet build tests/dataplane -c Release --nologo -v quiet
	@GATEWAY_FUZZ_SECONDS=$(or $(SECONDS),300) GATEWAY_FUZZ_SEED=$(SEED) artifacts/bin/Gateway.Core.Tests/release/Gateway.Core.Tests -noLogo -noColor -class '*.ResponseFuzzTests' -showLiveOutput
	@GATEWAY_FUZZ_SECONDS=$(or $(SECONDS),300) GATEWAY_FUZZ_SEED=$(SEED) artifacts/bin/Gateway.DataPlane.Tests/release/Gateway.DataPlane.Tests -noLogo -noColor -class '*.DirectAgainstKestrelTests' -showLiveOutput

fmt:                  ## format the code
	@dotnet format Gateway.sln

lint:                 ## format check
	@dotnet format Gateway.sln --verify-no-changes

schema: build         ## regenerate configs/gateway.schema.json
	@bin/gateway schema > configs/gateway.schema.json

bench: build          ## micro-benchmarks with the allocation budget
	@dotnet run -c Release --project bench/micro -- --filter '*'

bench-scale: build    ## from posted bytes to an answered request, 10 000 and 100 000 routes
	@dotnet run -c Release --project bench/scale

bench-load: build     ## side by side with nginx, HAProxy and plain YARP: CPU per request
	@dotnet build bench/load -c Release --nologo -v quiet
	@artifacts/bin/Gateway.Bench.Load/release/Gateway.Bench.Load --output bench/results/$$(date +%F)-load-$$(git rev-parse --short HEAD).md $(ARGS)

bench-scaling: build  ## CPU per request with one event loop and with two
	@dotnet build bench/load -c Release --nologo -v quiet
	@artifacts/bin/Gateway.Bench.Load/release/Gateway.Bench.Load scaling --output bench/results/$$(date +%F)-scaling-$$(git rev-parse --short HEAD).md $(ARGS)

rollout-gates:        ## how often a rollout's gates are wrong and how soon they are right: a table, RUNS=10000 simulations a row
	@dotnet build tests/core -c Release --nologo -v quiet
	@GATEWAY_ROLLOUT_TABLE=$(CURDIR)/bench/results/$$(date +%F)-rollout-gates.md GATEWAY_ROLLOUT_RUNS=$(or $(RUNS),10000) artifacts/bin/Gateway.Core.Tests/release/Gateway.Core.Tests -noLogo -noColor -class '*.RolloutGateTable'

soak: build           ## mixed load with faults and a swap each second, ten minutes or SECONDS: nothing may fail or grow
	@dotnet build bench/soak -c Release --nologo -v quiet
	@artifacts/bin/Gateway.Bench.Soak/release/Gateway.Bench.Soak --seconds $(or $(SECONDS),600) --output bench/results/$$(date +%F)-soak-$$(git rev-parse --short HEAD).md $(ARGS)

kill: build           ## kill -9 at the durable steps of the built gateway, RUNS=400, SEED= to repeat
	@dotnet build tests/functional -c Release --nologo -v quiet
	@GATEWAY_KILL_RUNS=$(or $(RUNS),400) GATEWAY_KILL_SEED=$(or $(SEED),1) GATEWAY_KILL_REPORT=$(CURDIR)/bench/results/$$(date +%F)-kill-$$(git rev-parse --short HEAD).md artifacts/bin/Gateway.Functional.Tests/release/Gateway.Functional.Tests -noLogo -noColor -class '*.KillTests'

rollouts: build       ## bad and good candidates at 2000 requests per second (RPS=): how soon they are returned, whom they harm
	@dotnet build tests/functional -c Release --nologo -v quiet
	@GATEWAY_ROLLOUT_RPS=$(or $(RPS),2000) GATEWAY_ROLLOUT_REPORT=$(CURDIR)/bench/results/$$(date +%F)-rollouts-$$(git rev-parse --short HEAD).md artifacts/bin/Gateway.Functional.Tests/release/Gateway.Functional.Tests -noLogo -noColor -class '*.RolloutGateTests'

clean:
	@rm -rf artifacts bin
