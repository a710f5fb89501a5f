<?php
// On the command line: site.php create <domain> <path> <title>; site.php due <url>; site.php left <url>.
[, $verb, $first] = $argv;
$_SERVER['HTTP_HOST'] = $verb === 'create' ? getenv('WORDPRESS_HOST') : explode('/', $first)[0];
$_SERVER['REQUEST_URI'] = $verb === 'create' ? '/' : strstr($first, '/');
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
require '/var/www/html/wp-load.php';
if ($verb === 'create') {
    echo wpmu_create_blog($first, $argv[3], $argv[4], 1);
} elseif ($verb === 'due') {
    wp_schedule_single_event(time() - 5, 'slpnb_probe');
} else {
    echo wp_next_scheduled('slpnb_probe') ? 'due' : 'done';
}
