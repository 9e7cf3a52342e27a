# shellcheck shell=sh
# Shared helpers of the test bed scripts. Source this file, do not run it:
#
#     . "$(dirname "$0")/lib.sh"
#
# POSIX sh and the tools of a minimal Debian (tar, gzip, sha256sum): no Python,
# and no varve, because these bases are what varve is tested against.

# Where finished bases are kept between runs. Everything in it can be deleted.
# shellcheck disable=SC2034 # used by the scripts that source this file
testbed_cache=${VARVE_TESTBED:-${XDG_CACHE_HOME:-$HOME/.cache}/varve-testbed}

# Every timestamp in the bases: 2025-01-01, so that a rebuild gives the same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1735689600}
export SOURCE_DATE_EPOCH

say() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
}

die() {
    say "error: $*"
    exit 1
}

# need COMMAND PURPOSE: stop with the command that installs what is missing.
need() {
    command -v "$1" >/dev/null 2>&1 && return 0
    die "'$1' is not installed; run: $(dirname "$0")/packages.sh $2"
}

# npm_packages FOLDER WHAT PACKAGE...: install them from npm into FOLDER/node_modules, once, whoever asks.
npm_packages() {
    npm_folder=$1
    npm_what=$2
    shift 2
    [ ! -e "$npm_folder/complete" ] || return 0
    need npm bench
    need node bench
    mkdir -p "$testbed_cache"
    exec 8>"$npm_folder.lock"
    flock 8
    [ ! -e "$npm_folder/complete" ] || return 0
    mkdir -p "$npm_folder"
    echo '{"private":true}' >"$npm_folder/package.json"
    say "fetching $npm_what from npm"
    (cd "$npm_folder" && npm install --no-audit --no-fund --loglevel=error "$@" >&2) ||
        die "npm could not fetch them"
    touch "$npm_folder/complete"
}

# The machine's architecture by its OCI name.
oci_arch() {
    case $(uname -m) in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) die "no base is made for the architecture $(uname -m)" ;;
    esac
}

# The current time as RFC 3339 would have it at SOURCE_DATE_EPOCH.
epoch_rfc3339() {
    date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ
}

sha256_of() {
    sha256sum "$1" | cut -d' ' -f1
}

size_of() {
    stat -c %s "$1"
}

# blob_add LAYOUT FILE: move FILE into the layout and print its digest in hex.
blob_add() {
    blob_hex=$(sha256_of "$2")
    mv "$2" "$1/blobs/sha256/$blob_hex"
    chmod 644 "$1/blobs/sha256/$blob_hex"
    echo "$blob_hex"
}

# oci_from_tar ROOTFS.tar LAYOUT REF ENV_JSON CMD_JSON [ARCH]
#
# Write an OCI image layout with one gzip layer. ENV_JSON and CMD_JSON are JSON
# arrays. The layout is built beside its place and renamed, so it is never half there.
# Format: OCI image-spec 1.0, "image-layout.md", "config.md" and "manifest.md".
oci_from_tar() {
    oci_tmp=$2.tmp.$$
    rm -rf "$oci_tmp"
    mkdir -p "$oci_tmp/blobs/sha256"

    oci_diff_id=$(sha256_of "$1")
    gzip -n -6 -c "$1" >"$oci_tmp/layer"
    oci_layer_size=$(size_of "$oci_tmp/layer")
    oci_layer=$(blob_add "$oci_tmp" "$oci_tmp/layer")

    oci_created=$(epoch_rfc3339)
    printf '{"created":"%s","architecture":"%s","os":"linux","config":{"Env":%s,"Cmd":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"%s","created_by":"%s"}]}' \
        "$oci_created" "${6:-$(oci_arch)}" "$4" "$5" "$oci_diff_id" \
        "$oci_created" "$(basename "$0")" >"$oci_tmp/config"
    oci_config_size=$(size_of "$oci_tmp/config")
    oci_config=$(blob_add "$oci_tmp" "$oci_tmp/config")

    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
        "$oci_config" "$oci_config_size" "$oci_layer" "$oci_layer_size" >"$oci_tmp/manifest"
    oci_manifest_size=$(size_of "$oci_tmp/manifest")
    oci_manifest=$(blob_add "$oci_tmp" "$oci_tmp/manifest")

    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
        "$oci_manifest" "$oci_manifest_size" "${6:-$(oci_arch)}" "$3" >"$oci_tmp/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$oci_tmp/oci-layout"

    rm -rf "$2"
    mv "$oci_tmp" "$2"
}

# Until the script ends nobody else makes or places a base.
lock_bases() {
    mkdir -p "$testbed_cache"
    exec 9>"$testbed_cache/lock"
    flock 9
}

# place FROM TO: put a cached file or directory at TO, as hard links where the disk allows.
# Nobody may write into a placed base: it shares its bytes with the cache.
place() {
    [ "$(readlink -f "$1")" = "$(readlink -f "$2")" ] && return 0
    ! diff -rq "$1" "$2" >/dev/null 2>&1 || return 0 # others may be reading it
    rm -rf "$2"
    cp -al "$1" "$2" 2>/dev/null || {
        rm -rf "$2"
        cp -a "$1" "$2"
    }
}
