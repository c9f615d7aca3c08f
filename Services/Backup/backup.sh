#!/bin/sh
# Copies the files of a directory one by one, and says in its feedback file how far it is.
# usage: backup.sh SOURCE TARGET; PAUSE seconds are waited after each file
set -eu
source=$1 target=$2
say() { echo "$1" >> "${CONTEXT_BUS_FEEDBACK:-/dev/null}"; }

mkdir -p "$target"
list=$(mktemp)
trap 'rm -f "$list"' EXIT
trap 'exit 143' TERM
find "$source" -type f ! -path '*/__pycache__/*' > "$list"
total=$(wc -l < "$list")
say "[total]$total"

done=0
while read -r file; do
    say "[file]$file"
    mkdir -p "$target/$(dirname "$file")"
    cp "$file" "$target/$file"
    done=$((done + 1))
    say "[progress]$((100 * done / total))"
    sleep "${PAUSE:-0}"
done < "$list"

say "[]"
say "[progress]100"
say "[report]$total files in $target"
