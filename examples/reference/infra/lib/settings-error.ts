/** A setting that is missing or wrong. Its message is one sentence for the person who gave the setting. */
export class SettingsError extends Error {}
