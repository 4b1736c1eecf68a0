#!/bin/sh
# PostgreSQL's image runs this once, when it has made its cluster: the role that Lineage signs in as, which is no
# superuser, and its database. `\getenv` keeps the password off every command line.
set -eu
LINEAGE_PASSWORD="$(cat /run/secrets/database_password)"
export LINEAGE_PASSWORD
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password LINEAGE_PASSWORD
CREATE ROLE lineage LOGIN PASSWORD :'password';
CREATE DATABASE lineage OWNER lineage;
SQL
