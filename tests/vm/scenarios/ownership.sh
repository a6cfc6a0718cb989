# The segment is created by the service, root, or chronyd, in either order: can both use it? chronyd runs as in Debian's
# unit, with CAP_IPC_OWNER and without.
machine=debian
judged=checks
lasts=330

scenario() {
	start_receiver
	install_package
	mkdir -p /run/systemd/system/chrony.service.d
	stop_all
	for bounding in "~" "~CAP_IPC_OWNER"; do # no capability removed, and this one
		printf '[Service]\nCapabilityBoundingSet=%s\n' "$bounding" >/run/systemd/system/chrony.service.d/ipc.conf
		[ "$bounding" = "~" ] && rm /run/systemd/system/chrony.service.d/ipc.conf
		systemctl daemon-reload

		systemctl start gnss2shm@default chrony
		check "$bounding the service first: the segment is root's" segment_is "root 600"
		check "$bounding the service first: chronyd follows" until_true 90 followed
		stop_all

		systemctl start chrony
		check "$bounding chronyd first: it makes the segment" until_true 10 segment
		systemctl start gnss2shm@default 2>/dev/null
		check "$bounding chronyd first: the service is refused" until_true 20 systemctl is-failed --quiet gnss2shm@default
		check "$bounding chronyd first: it says whose it is and what cures it" cured
		check "$bounding chronyd first: it is not tried again and again" \
			test "$(systemctl show -P NRestarts gnss2shm@default)" = 0
		check "$bounding chronyd first: doctor says so, too" doctor_names
		systemctl reset-failed gnss2shm@default

		gnss2shm run --config /etc/gnss2shm/default.toml >/results/root-second.log 2>&1 &
		root=$!
		check "$bounding chronyd first, root second: chronyd follows" until_true 90 followed
		kill $root
		wait $root
		stop_all

		gnss2shm run --config /etc/gnss2shm/default.toml >/results/root-first.log 2>&1 &
		root=$!
		check "$bounding root first: the segment is root's" until_true 10 segment_is "root 600"
		systemctl start chrony
		check "$bounding root first: chronyd follows" until_true 90 followed
		kill $root
		wait $root
		stop_all
	done
	check "the end" true
}

# Stops both and removes the segment.
stop_all() {
	systemctl stop gnss2shm@default chrony
	ipcrm -M 0x4e545030 2>/dev/null
	date -s "@$(($(date +%s) - 1))" >/dev/null # so that chronyd has something to correct
}

# Its owner and mode.
segment() {
	ipcs -m | awk '$1 == "0x4e545030" { print $3, $4; found = 1 } END { exit !found }'
}

segment_is() { # owner and mode
	[ "$(segment)" = "$1" ]
}

cured() {
	journalctl -u gnss2shm@default -o cat --no-pager -n 20 | grep "owner uid 0.*ipcrm -M"
}

doctor_names() {
	gnss2shm doctor | grep "FAILURE" | grep -i "segment\|unit 0"
}
