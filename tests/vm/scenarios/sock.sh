# chrony's SOCK refclock: together with SHM, both selected and in agreement; then chronyd is killed, and a new one uses
# SOCK alone.
programs="gnss2shm"
judged=checks
lasts=300
socket=/run/chrony.gnss.sock
refclock_sock="refclock SOCK $socket poll 2 filter 5 refid SOCK precision 1e-7"

scenario() {
	start_receiver
	start_gnss2shm --sock $socket
	check "a chronyd that is late is named" until_true 10 says "$socket does not exist: start chronyd"
	start_chronyd "$(refclock_shm)
		$refclock_sock"
	start_judge
	check "it locks" until_true 15 says " Locked"
	check "the socket is named when it comes" until_true 5 says "$socket exists"
	# As in check_clock: chronyd takes its time after a step.
	check "both refclocks are selected" until_true 120 both_selected
	check_clock
	check "both get the same offsets" same_offsets

	killall -9 chronyd
	check "a chronyd that is gone is named" until_true 5 says "$socket was left behind"
	check "samples come without chronyd" publishes 5
	step system 50000 # something to correct
	check "its clock is off by now" clock_is_wrong
	start_chronyd "$refclock_sock"
	check "a new chronyd follows SOCK alone" until_true 60 selected SOCK
	check "that it is back is said" test "$(grep -c "$socket exists" /results/gnss2shm.log)" = 2
	check_clock
	check_judge
	check "the end" true
}

selected() { # refid
	chronyc -n sources | tee /results/sources | grep -q "^#\* $1"
}

both_selected() {
	chronyc -n sources | tee /results/sources
	[ "$(grep -c '^#[*+] \(GNSS\|SOCK\)' /results/sources)" = 2 ]
}

clock_is_wrong() {
	judge --clock
	! clock_is_right
}

# chronyd's log of the same sample for both: SOCK's timestamp has microseconds, so pairs are matched by the tenth of a
# second. The log has seven digits of an offset.
same_offsets() {
	awk '
		NF != 9 || $4 == "-" { next }
		{ at = $1 " " substr($2, 1, 10) }
		$3 == "GNSS" { shm[at] = $7 }
		$3 == "SOCK" { sock[at] = $7 }
		END {
			for (at in shm) if (at in sock) {
				pairs++
				apart = shm[at] - sock[at]; if (apart < 0) apart = -apart
				size = shm[at] < 0 ? -shm[at] : shm[at]
				if (apart > 2e-9 + size * 1e-6) wrong++
				if (apart > worst && size < 1) worst = apart
			}
			print pairs + 0 " pairs, worst " worst * 1e9 " ns, " wrong + 0 " differ"
			exit wrong > 0 || pairs < 10
		}' /results/refclocks.log | tee /results/same-offsets
	grep -q " 0 differ" /results/same-offsets
}
