#!/bin/sh
# A setting LONGTALE_SECTION__KEY may be given as LONGTALE_SECTION__KEY_FILE, the name of a file that
# holds it, so that a secret stands neither in the image nor in the description of the container.
set -eu
for name in $(env | sed -n 's/^\(LONGTALE_[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "file=\${${name}_FILE}"
    if [ ! -r "$file" ]; then
        echo "${name}_FILE names '$file', which cannot be read; mount it, or unset the variable" >&2
        exit 2
    fi
    value=$(cat "$file")
    export "$name=$value"
    unset "${name}_FILE"
done
exec "$@"
