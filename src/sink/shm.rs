//! chrony's SHM refclock.
