# shellcheck shell=sh disable=SC2154 # the parts of a program use each other's names
# sshd's settings: one file that is read before all others, on the guard's timer. A person's own files stay as they are.

# "KEY VALUE"...: all that our file says
sshd_set() {
  guard_begin sshd
  grep -qiE '^[[:space:]]*Include[[:space:]=]+"?/etc/ssh/sshd_config\.d/\*\.conf' /etc/ssh/sshd_config ||
    because "sshd of this host reads no files in /etc/ssh/sshd_config.d: its sshd_config has no Include for them"
  { echo "# Written by sinc install; sinc uninstall takes it away."; printf '%s\n' "$@"; } >"$run/sshd"
  # As it will be read, before all else: what sshd does not take never stands where it would not start with it.
  cat "$run/sshd" /etc/ssh/sshd_config >"$run/sshd_config"
  ask_sshd -t -f "$run/sshd_config" || because "sshd does not take its new configuration"
  record sshd
  record_wrote "$guard_sshd" "$run/sshd"
  : >"$guard_untold"
  put_whole "$guard_sshd" 644 root <"$run/sshd"
  sshd_reload
  for line in "$@"; do
    case $(sshd_value "${line%% *}") in
    "${line#* }") ;;
    *) because "sshd does not go by it: ${line%% *} is still $(sshd_value "${line%% *}")" ;;
    esac
  done
  guard_end
}

# Only a configuration that sshd takes; connections that there are go on.
sshd_reload() {
  ask_sshd -t || because "sshd does not take its new configuration"
  sshd_tell || because "sshd could not be told"
}

# SUMS...: ours goes; what a person has changed in it is kept beside it, where sshd does not read it. Where it has gone
# already, a run that was cut off may not have told sshd.
undo_sshd() {
  [ -e "$guard_sshd" ] || [ -e "$guard_untold" ] || return 0
  guard_begin sshd
  if [ -e "$guard_sshd" ]; then sshd_file_away "$@"; fi
  sshd_reload
  guard_end
}
sshd_file_away() {
  is=$(sum_of "$guard_sshd") ours=
  for sum in "$@"; do [ "$is" != "$sum" ] || ours=yes; done
  if [ -z "$ours" ]; then
    aside=$(free_name "$guard_sshd.before-uninstall")
    cp -a "$guard_sshd" "$aside"
    emit "note $component $guard_sshd was changed since; what it said: $aside"
  fi
  : >"$guard_untold"
  rm -f "$guard_sshd"
}
