#!/usr/bin/env bats
# inspect, and --format wherever there is one. Nothing here runs: containers are made only.
#
# shellcheck disable=SC2016,SC2154 # templates; variables that bats sets

load ../lib/vm.bash

@test "inspect of a container" {
  local id
  id=$(mvm create --name web -l com.example.role=front -e A=1 -w /tmp -m 256m "$REGISTRY/entry" one two)
  run --separate-stderr -0 mvm inspect web
  same "$id /web created false 0" "$(jq -r '.[0] | [.Id, .Name, .State.Status, .State.Running, .State.Pid] | join(" ")' <<<"$output")"
  same "$REGISTRY/entry 268435456 /tmp linux" \
    "$(jq -r '.[0] | [.Config.Image, .HostConfig.Memory, .Config.WorkingDir, .Platform] | join(" ")' <<<"$output")"
  # What was run: the image's entrypoint, then the command.
  same '["one","two"]' "$(jq -c '.[0].Config.Cmd' <<<"$output")"
  same "$(jq -c '.[0] | [.Path] + .Args' <<<"$output")" "$(jq -c '.[0].Config | .Entrypoint + .Cmd' <<<"$output")"
  [[ $(jq -r '.[0].Created' <<<"$output") =~ ^20[0-9-]+T[0-9:]+\.[0-9]{9}Z$ ]]
  same 0001-01-01T00:00:00Z "$(jq -r '.[0].State.StartedAt' <<<"$output")"
  same "$(mvm inspect "$REGISTRY/entry" | jq -r '.[0].Id')" "$(jq -r '.[0].Image' <<<"$output")"
  same null "$(jq '.[0].SizeRw' <<<"$output")"
  same number "$(mvm inspect -s web | jq -r '.[0].SizeRw | type')"
  same 1 "$(mvm inspect -f json web | wc -l)"
  same '/web created front A=1,' \
    "$(mvm inspect -f '{{.Name}} {{.State.Status}} {{index .Config.Labels "com.example.role"}} {{range .Config.Env}}{{if eq . "A=1"}}{{.}},{{end}}{{end}}' "$id")"
  mvm rm web
}

@test "inspect takes a container before an image, or what --type says" {
  mvm tag "$IMAGE" localname
  mvm create --name localname "$IMAGE" true
  same /localname "$(mvm inspect -f '{{.Name}}' localname)"
  has "$(mvm inspect --type image -f '{{.RepoTags}}' localname)" docker.io/library/localname:latest
  has "$(mvm image inspect -f '{{json .RepoTags}}' localname)" docker.io/library/localname:latest
  same /localname "$(mvm container inspect -f '{{.Name}}' localname)"
  mvm rm localname
  has "$(mvm inspect -f '{{index .RepoTags 0}}' localname)" localname:latest
  mvm rmi localname
  run --separate-stderr -1 mvm inspect --type plugin x
  error_says "'plugin' is not a valid value for --type"
}

@test "inspect of what is not there" {
  mvm create --name here "$IMAGE" true
  run --separate-stderr -1 mvm inspect nothing
  same '[]' "$output"
  same 'mvm: No such object: nothing' "$stderr"
  run --separate-stderr -1 mvm inspect -f '{{.Name}}' nothing here Not/A/Name
  same /here "$output"
  has "$stderr" 'No such object: nothing' 'No such object: Not/A/Name'
  run --separate-stderr -1 mvm container inspect "$IMAGE"
  same '[]' "$output"
  has "$stderr" 'No such container: '
  run --separate-stderr -1 mvm inspect -f '{{.State.Nothing}}' here
  has "$stderr" 'template parsing error: template: :1:8: executing "" at <.State.Nothing>: map has no entry for key "Nothing"'
  mvm rm here
}

@test "templates for tables" {
  local long
  mvm create --name one -l com.example.my-role=front "$IMAGE" true
  mvm create --name two "$IMAGE" true
  same $'two:created:\none:created:front' "$(mvm ps -a --format '{{.Names}}:{{.State}}:{{.Label "com.example.my-role"}}')"
  same $'NAMES     my role\ntwo       \none       front' "$(mvm ps -a --format 'table {{.Names}}\t{{.Label "com.example.my-role"}}')"
  same two "$(mvm ps -a --format '{{if eq .Names "two"}}{{.Names}}{{end}}' | grep .)"
  same "$(mvm ps -a --format json)" "$(mvm ps -a --format '{{json .}}')"
  same "$(mvm ps -a)" "$(mvm ps -a --format 'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}')"
  run --separate-stderr -1 mvm ps -a --format '{{.Nope}}'
  error_says 'executing "" at <.Nope>: can'\''t evaluate field Nope in type container'
  run --separate-stderr -1 mvm ps --format '{{.ID'
  error_says 'template parsing error: template: :1: unclosed action'
  long=$(mvm images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' "$IMAGE")
  has "$long" "$IMAGE:latest sha256:"
  [[ $(mvm version -f '{{.Server.Version}} {{.Client.Os}}') =~ ^[0-9.]+\ (linux|darwin)$ ]]
  same 2 "$(mvm info --format '{{.Containers}}')"
  same 2 "$(mvm system df --format '{{if eq .Type "Containers"}}{{.TotalCount}}{{end}}' | grep .)"
  same 2 "$(mvm system df -v --format '{{len .Containers}}')"
  mvm rm one two
}

# placeholders COMMAND... -- NAME...: each is there.
placeholders() {
  local command=()
  while [ "$1" != -- ]; do command+=("$1"); shift; done
  shift
  for name in "$@"; do run -0 mvm "${command[@]}" --format "{{.$name}}"; done
}

@test "every placeholder that docker documents is there, and empty where there is nothing" {
  mvm create --name one -l a.b=c "$IMAGE" true
  placeholders ps -a -- ID Image Command CreatedAt RunningFor Ports State Status Size Names Labels Mounts Networks LocalVolumes
  same 'c||default|' "$(mvm ps -a --format '{{.Label "a.b"}}|{{.Label "x"}}{{.Ports}}|{{.Mounts}}{{.Networks}}|')"
  placeholders images -- ID Repository Tag Digest CreatedSince CreatedAt Size VirtualSize SharedSize UniqueSize Containers
  placeholders history "$IMAGE" -- ID CreatedSince CreatedAt CreatedBy Size Comment
  placeholders system df -- Type TotalCount Active Size Reclaimable
  placeholders system df -v -- Images Containers Volumes BuildCache
  placeholders version -- Client.Version Client.APIVersion Client.DefaultAPIVersion Client.GitCommit Client.GoVersion Client.Os \
    Client.Arch Client.BuildTime Client.Context Server.Version Server.APIVersion Server.MinAPIVersion Server.GitCommit \
    Server.GoVersion Server.Os Server.Arch Server.KernelVersion Server.Experimental Server.BuildTime Server.Platform.Name
  placeholders info -- ID Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus Plugins.Log \
    MemoryLimit SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit IPv4Forwarding Debug LoggingDriver CgroupDriver \
    CgroupVersion KernelVersion OperatingSystem OSType Architecture IndexServerAddress RegistryConfig.Mirrors NCPU MemTotal \
    DockerRootDir HttpProxy HttpsProxy NoProxy Name Labels ExperimentalBuild ServerVersion Runtimes DefaultRuntime \
    Swarm.LocalNodeState LiveRestoreEnabled Isolation InitBinary SecurityOptions Warnings ClientInfo.Version
  run -0 mvm info
  has "$output" $'\n Server Version: ' $'\n Operating System: ' $'\n Total Memory: ' $'\n Docker Root Dir: '"$MVM_HOME"
  mvm rm one
}
