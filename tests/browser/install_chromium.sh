#!/bin/sh
# The browser tests drive a Chromium. Root on a machine with apt gets Debian's; anybody else sees those tests skipped
# with the reason (with CI set they fail instead).
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian's chromium for the browser tests"
    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null && exit 0
fi
echo "no chromium on PATH: the browser tests cannot run"
