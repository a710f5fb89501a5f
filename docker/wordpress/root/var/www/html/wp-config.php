<?php
// WordPress, configured by the environment only. Names: the task definition's.

function slpnb_setting(string $name, string $default = ''): string
{
    $value = getenv($name);
    return $value === false || $value === '' ? $default : $value;
}

foreach (['NAME' => '', 'USER' => '', 'PASSWORD' => '', 'HOST' => 'localhost'] as $name => $default) {
    define("DB_$name", slpnb_setting("WORDPRESS_DB_$name", $default));
}
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
if (slpnb_setting('WORDPRESS_DB_TLS') === 'true') {
    define('MYSQL_CLIENT_FLAGS', MYSQLI_CLIENT_SSL);
}
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define("{$name}_KEY", slpnb_setting("WORDPRESS_{$name}_KEY"));
    define("{$name}_SALT", slpnb_setting("WORDPRESS_{$name}_SALT"));
}
$table_prefix = slpnb_setting('WORDPRESS_TABLE_PREFIX', 'wp_');

define('WP_ALLOW_MULTISITE', true);
if (!defined('SLPNB_INSTALL')) { // before there is a network, WordPress cannot load as one
    define('MULTISITE', true);
    define('SUBDOMAIN_INSTALL', slpnb_setting('WORDPRESS_MULTISITE', 'subdomain') === 'subdomain');
    define('DOMAIN_CURRENT_SITE', slpnb_setting('WORDPRESS_HOST'));
    define('PATH_CURRENT_SITE', '/');
    define('SITE_ID_CURRENT_SITE', 1);
    define('BLOG_ID_CURRENT_SITE', 1);
    if (SUBDOMAIN_INSTALL && str_contains(DOMAIN_CURRENT_SITE, ':')) { // browsers refuse a cookie whose domain has a port
        define('COOKIE_DOMAIN', '.' . strtok(DOMAIN_CURRENT_SITE, ':'));
    }
}

// WordPress gives a new site on a subdomain http, and its pictures with it, whatever the network has.
function slpnb_site_addresses(array $given, WP_Site $site): array
{
    $address = slpnb_setting('WORDPRESS_SCHEME', 'https') . '://' . rtrim($site->domain . $site->path, '/');
    $given['options'] = ['home' => $address, 'siteurl' => $address] + ($given['options'] ?? []);
    return $given;
}
// In the form that WordPress takes filters in before it is loaded (WP_Hook::build_preinitialized_hooks).
$GLOBALS['wp_filter']['wp_initialize_site_args'][10][] = ['function' => 'slpnb_site_addresses', 'accepted_args' => 2];

define('DISABLE_WP_CRON', slpnb_setting('DISABLE_WP_CRON', 'true') === 'true');
define('DISALLOW_FILE_MODS', slpnb_setting('DISALLOW_FILE_MODS', 'true') === 'true');
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_MEMORY_LIMIT', '128M');
define('WP_TEMP_DIR', '/tmp');
define('WP_DEBUG', false);

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
