<?php
// What is due on one site: cron.php <host and path>, as sites.php prints it.

[$host, $path] = explode('/', $argv[1], 2);
$_SERVER['HTTP_HOST'] = $host;
$_SERVER['REQUEST_URI'] = "/{$path}wp-cron.php";
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
if ((getenv('WORDPRESS_SCHEME') ?: 'https') === 'https') {
    $_SERVER['HTTPS'] = 'on';
}
require '/var/www/html/wp-cron.php';
