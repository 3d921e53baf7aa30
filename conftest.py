"""What pytest loads here: the plugin, which makes drills of .feature files, and the words that they are written in."""

from failover_drill.autoload import plugins

pytest_plugins = plugins()
