# shellcheck shell=sh
# Which start of the machine this is, and whether it was shut down well before. Changes nothing.
echo "sinc-begin 1";
echo "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)";
# The newest come first: the start that this is, and before it the shutdown, or nothing of the kind.
last -x 2>/dev/null | { began=no; while read -r what rest; do
case $began-$what in no-reboot) began=yes;; yes-shutdown) echo "clean yes"; break;; yes-runlevel | no-*) ;; *) break;; esac;
done; };
exit 0
