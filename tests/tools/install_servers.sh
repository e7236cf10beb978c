#!/bin/sh
# Install the Debian packages that the real-server tests want. Nothing is configured and nothing is started:
# the tests run these programs themselves, on loopback, in temporary folders.
set -eu

if ! command -v apt-get >/dev/null 2>&1; then
    echo "make servers needs Debian or Ubuntu (apt-get). Elsewhere install: postfix, dovecot with imap and lmtp, postgresql, xmlsec1, poppler, chromium," >&2
    echo "a JDK with Apache PDFBox Preflight 2.0, and Node; the tests that lack one are skipped." >&2
    exit 1
fi

missing=""
want() { # want PACKAGE COMMAND: the package, unless the command is there already
    PATH="$PATH:/usr/sbin" command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}
want postfix postfix
want dovecot-imapd dovecot
[ -x /usr/lib/dovecot/lmtp ] || missing="$missing dovecot-lmtpd"
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
want xmlsec1 xmlsec1
want systemd systemd-analyze
want openssl openssl
want iproute2 ip
[ -e /usr/share/xml/opensaml/saml-schema-assertion-2.0.xsd ] || missing="$missing opensaml-schemas"
want poppler-utils pdftoppm
want chromium chromium
want default-jdk-headless javac
want nodejs node
want npm npm
wants_jar() { # wants_jar PACKAGE JAR
    [ -e "/usr/share/java/$2" ] || missing="$missing $1"
}
wants_jar libpdfbox2-java preflight.jar
wants_jar libactivation-java javax.activation.jar
wants_jar libjaxb-api-java jaxb-api.jar

if [ -z "$missing" ]; then
    echo "The servers are there already."
    exit 0
fi

sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "make servers must be run as root (sudo is missing)." >&2; exit 1; }
    sudo=sudo
fi

# Debian starts a server as soon as it is unpacked, unless this file says no (101).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    trap '$sudo rm -f "$policy"' EXIT INT TERM
fi

echo "Installing:$missing"
printf 'postfix postfix/main_mailer_type select No configuration\n' | $sudo debconf-set-selections
$sudo apt-get update -qq
# shellcheck disable=SC2086 # one word per package
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
