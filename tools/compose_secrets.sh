#!/bin/sh
# Make the secrets that compose.yaml mounts, once: what is there stays. Prints names and no secret.
# Usage: compose_secrets.sh [FOLDER]   (secrets/ beside compose.yaml)
#
# The folder is its owner's alone (0700). The files in it are readable (0444), because compose mounts each as it is
# and every container has a user of its own, which must be able to read it; nobody else gets past the folder.
set -eu
umask 077
folder="${1:-$(dirname "$0")/../secrets}"
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { # 48 hexadecimal digits: no character that a URL or a configuration file would read as its own
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

keep() { # NAME VALUE: written whole or not at all
    if [ ! -s "$1" ]; then
        printf '%s\n' "$2" >".$1.new"
        chmod 444 ".$1.new"
        mv ".$1.new" "$1"
        echo "made $1"
    fi
}

# A URL and the service's own file hold the same password: both are derived from the one that is kept.
keep secret_key "$(random)$(random)"
keep postgres_password "$(random)"
keep database_password "$(random)"
keep redis_password "$(random)"
keep neo4j_password "$(random)"
keep database_url "postgresql://lineage:$(cat database_password)@postgres:5432/lineage"
keep redis_conf "requirepass $(cat redis_password)"
keep broker_url "redis://:$(cat redis_password)@redis:6379/0"
keep neo4j_auth "neo4j/$(cat neo4j_password)"
keep graph_url "bolt://neo4j:$(cat neo4j_password)@neo4j:7687"
