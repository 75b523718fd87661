#!/usr/bin/env bash
# docs/architecture.md names every file of src/core.
#   architecture.sh SOURCE-FOLDER
set -u
bad=0
for file in "$1"/src/core/*.c; do
    name=$(basename "$file" .c)
    grep -qF "\`$name\`" "$1/docs/architecture.md" && continue
    echo "docs/architecture.md does not say what src/core/$name.c is for"
    bad=1
done
exit $bad
