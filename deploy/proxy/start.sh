# Starts nginx: with TLS if a certificate is given, and not at all if nobody could log in.
set -eu
private=/etc/orders-proxy-private

for users in operators viewers; do
  if ! [ -s "$private/$users" ]; then
    echo "No users: write deploy/proxy/private/$users, readable by user 101, as docs/deploy.md says." >&2
    exit 1
  fi
done

tls=
if [ -s "$private/certificate.pem" ]; then
  tls=" ssl"
  cat > /tmp/tls.conf <<TLS
ssl_certificate $private/certificate.pem;
ssl_certificate_key $private/key.pem;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:tls:10m;
add_header Strict-Transport-Security "max-age=31536000" always;
TLS
else
  echo "No certificate: passwords travel in the clear. Let nobody but this machine reach the proxy." >&2
  : > /tmp/tls.conf
fi
echo "listen 8443$tls;" > /tmp/listen-operators.conf
echo "listen 8444$tls;" > /tmp/listen-viewers.conf
exec nginx -c /etc/orders-proxy/nginx.conf -g "daemon off;"
