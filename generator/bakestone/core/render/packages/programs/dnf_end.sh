rm -rf /tmp/dnf /tmp/repositories /var/lib/rpm/__db.* /var/cache/ldconfig/aux-cache
