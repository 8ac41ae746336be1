# Sourced by ./demo and ./test with $root set: finds Python 3.11 or newer, makes the environment.
# The distribution's own interpreter comes first: it is built with profile-guided optimisation,
# which self-built ones often are not, and that is a tenth of the ledger's throughput.
python=
for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.11 python3.12 python3.13 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed: apt install python3" >&2
    exit 1
fi
"$python" -I "$root/network/bootstrap.py"
