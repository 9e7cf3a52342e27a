mkdir -p links/etc
ln -s ../run/resolver/stub.conf links/etc/resolv.conf
ln -s srv/real links/data
