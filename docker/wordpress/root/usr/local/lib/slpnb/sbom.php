<?php
// What is inside, as CycloneDX 1.5: Debian's packages, WordPress, its plugins and themes. The same bytes for the
// same contents.

function packages(): array
{
    exec("dpkg-query -W -f='\${Package}\\t\${Version}\\t\${Architecture}\\t\${source:Package}\\n'", $lines);
    return array_map('package', $lines);
}

function package(string $line): array
{
    [$name, $version, $architecture, $source] = explode("\t", $line);
    $os = parse_ini_file('/etc/os-release');
    $purl = "pkg:deb/{$os['ID']}/" . rawurlencode($name) . '@' . rawurlencode($version);
    return [
        'type' => 'library',
        'bom-ref' => "$purl?arch=$architecture",
        'name' => $name,
        'version' => $version,
        'purl' => "$purl?arch=$architecture&distro={$os['ID']}-{$os['VERSION_ID']}",
        'properties' => [['name' => 'debian:source', 'value' => $source]],
    ];
}

function wordpress(): array
{
    require '/var/www/html/wp-includes/version.php';
    $content = '/var/www/html/wp-content';
    $files = [...glob("$content/themes/*/style.css"), ...glob("$content/{plugins,mu-plugins}/{*.php,*/*.php}", GLOB_BRACE)];
    $core = component('wordpress', $wp_version, 'application');
    return [$core, ...array_values(array_filter(array_map('extension', $files)))];
}

/** A theme or plugin by the header of its file; nothing for a file without one. */
function extension(string $file): ?array
{
    $head = file_get_contents($file, false, null, 0, 8192);
    if (!preg_match('/^[ \t*\/#@]*(?:Theme|Plugin) Name:\s*(.+)$/mi', $head, $name)) {
        return null;
    }
    preg_match('/^[ \t*\/#@]*Version:\s*(.+)$/mi', $head, $version);
    $path = substr($file, strlen('/var/www/html/wp-content/'));
    return component(trim($name[1]), trim($version[1] ?? 'unknown'), 'library', $path);
}

function component(string $name, string $version, string $type, string $path = ''): array
{
    $component = ['type' => $type, 'bom-ref' => "wordpress:$name:$path", 'name' => $name, 'version' => $version];
    return $component + ($path === '' ? [] : ['properties' => [['name' => 'path', 'value' => $path]]]);
}

$document = ['bomFormat' => 'CycloneDX', 'specVersion' => '1.5', 'version' => 1];
$document['components'] = [...packages(), ...wordpress()];
echo json_encode($document, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
