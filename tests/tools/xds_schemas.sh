#!/bin/sh
# Put the XDS.b, ebXML and SOAP 1.2 schemas of the open Java toolkit IPF (Apache-2.0) into build/schemas, where
# tests/conformance/test_dmp_schemas.py looks for them. Nothing of them is committed.
#
#   tests/tools/xds_schemas.sh [REPOSITORY]     a git repository: a path or an address; by default that of the project
set -eu
from=${1:-https://github.com/oehf/ipf}
to=$(dirname "$0")/../../build/schemas
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
git clone -q --depth 1 --no-checkout --filter=blob:none "$from" "$scratch/ipf"
git -C "$scratch/ipf" archive HEAD commons/ihe/xds/src/main/resources/wsdl/schema \
    commons/ihe/hl7v3/src/main/resources/schema/soap-1.2-envelope.xsd | tar -x -C "$scratch"
mkdir -p "$to"
cp -R "$scratch/commons/ihe/xds/src/main/resources/wsdl/schema/." "$to/"
cp "$scratch/commons/ihe/hl7v3/src/main/resources/schema/soap-1.2-envelope.xsd" "$to/"
echo "Schemas of $(git -C "$scratch/ipf" rev-parse --short HEAD) are in $to"
