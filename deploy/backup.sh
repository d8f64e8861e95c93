#!/bin/sh
# A backup of the append-only file of a Redis or Valkey that runs:
#
#   backup.sh DATA_FOLDER FILE.tar.gz        backup.sh /var/lib/valkey /backup/factus-2026-11-30.tar.gz
#
# Ends with 0 when the backup is whole, also while everybody writes. Nothing is switched off at the server: its files are
# only ever appended to, or replaced as a whole by a rewrite; so hard links of one moment are a copy, and a rewrite that
# comes in between is seen by its manifest. What is written meanwhile may be in the copy or not; a last command that is
# cut off is left out when it is loaded (aof-load-truncated, yes by default).
set -eu
[ $# -eq 2 ] || { echo "usage: backup.sh DATA_FOLDER FILE.tar.gz" >&2; exit 2; }
data=$1
out=$2
umask 077

links=$(mktemp -d "$data/backup.XXXXXX")
part=$out.part
trap 'rm -rf "$links" "$part"' EXIT
trap 'exit 1' HUP INT TERM

# Redis 7 and Valkey: a folder with a manifest. Redis 6.2: one file.
if [ -d "$data/appendonlydir" ]; then what=appendonlydir; else what=appendonly.aof; fi
manifest() { cat "$data/$what"/*.manifest 2>/dev/null || true; }

tries=0
while :; do
    before=$(manifest)
    if cp -al "$data/$what" "$links/$what" 2>/dev/null && [ "$(manifest)" = "$before" ]; then break; fi
    rm -rf "${links:?}/$what"
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || { echo "backup.sh: $data/$what cannot be linked: is it there, and yours to read?" >&2; exit 1; }
    sleep 0.5
done

# 1 says that a file grew while it was read, which is what an append-only file does.
tar -C "$links" -czf "$part" "$what" 2>/dev/null || [ $? -eq 1 ]
mv "$part" "$out"
