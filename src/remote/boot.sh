# shellcheck shell=sh
# Which start of which machine this is, since when, and when it was started and shut down before. Changes nothing.
echo "sinc-begin 1";
echo "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)";
echo "machine $(cat /etc/machine-id 2>/dev/null)";
{ while read -r what when rest; do
case $what in btime) echo "since $when"; break;; esac;
done </proc/stat; } 2>/dev/null;
# The newest come first, each with its time.
last -x --time-format iso shutdown reboot 2>/dev/null | { n=0; while read -r what rest; do
case $what in shutdown | reboot) echo "$what $rest"; n=$((n + 1)); [ $n -lt 40 ] || break;; esac;
done; };
exit 0
