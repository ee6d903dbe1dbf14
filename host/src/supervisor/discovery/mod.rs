//! What mngr reports about agents and their hosts.
