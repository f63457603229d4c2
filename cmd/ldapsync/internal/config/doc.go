// Package config turns the configuration file, the environment and the command line's flags into one checked Config.
//
// Flags beat the environment, the environment beats the file. It promises that whatever is refused is refused before anything is
// opened, in one line that names the file and line (or the variable) and the setting, with a hint. Unknown keys are never
// ignored. Secrets print as *** whatever the verb, and are read again from their file whenever they are asked for.
//
// It opens no connection: whether a column or a base exists is for check and run to find out.
package config
