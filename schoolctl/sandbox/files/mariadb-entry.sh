#!/bin/sh
# Starts MariaDB as the sandbox wants it, in the official image and in the one made from Debian
# packages alike: TLS only, data that a killed first start cannot leave half made.
set -eu

data=/var/lib/mysql
private=/run/mysqld

install -d -o mysql -g mysql "$data" "$private"
for file in server.pem server.key init.sql; do
    install -o mysql -g mysql -m 0400 "/schoolctl/$file" "$private/$file"
done

if [ ! -e "$data/.schoolctl-complete" ]; then
    find "$data" -mindepth 1 -delete
    mariadb-install-db --user=mysql --datadir="$data" --skip-test-db \
        --auth-root-authentication-method=socket >/dev/null
    touch "$data/.schoolctl-complete"
fi

exec mariadbd --user=mysql --datadir="$data" \
    --bind-address=0.0.0.0 --skip-name-resolve \
    --ssl-cert="$private/server.pem" --ssl-key="$private/server.key" \
    --require-secure-transport=ON --tls-version=TLSv1.2,TLSv1.3 \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci \
    --init-file="$private/init.sql" --innodb-buffer-pool-size=64M
