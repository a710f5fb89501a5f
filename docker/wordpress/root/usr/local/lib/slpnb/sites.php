<?php
// Every live site of the network, one a line: host and path.

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
require __DIR__ . '/database.php';

$blogs = (getenv('WORDPRESS_TABLE_PREFIX') ?: 'wp_') . 'blogs';
$live = "SELECT domain, path FROM `$blogs` WHERE archived = '0' AND spam = 0 AND deleted = 0 ORDER BY blog_id";
try {
    foreach (slpnb_connect(10)->query($live) as $site) {
        echo $site['domain'], $site['path'], "\n";
    }
} catch (mysqli_sql_exception $error) {
    fwrite(STDERR, "wordpress: the sites of the network could not be read: error {$error->getCode()}\n");
    exit(1);
}
