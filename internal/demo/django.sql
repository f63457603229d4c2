-- Django's tables as its own migrations make them on SQLite: admin, auth, contenttypes and sessions of a new project (Django 3.2, whose
-- last migration of auth, 0012, is also that of the versions since). A test holds this file equal to what the installed Django makes.

CREATE TABLE "django_migrations" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "app" varchar(255) NOT NULL,
    "name" varchar(255) NOT NULL,
    "applied" datetime NOT NULL
);

CREATE TABLE "django_content_type" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "app_label" varchar(100) NOT NULL,
    "model" varchar(100) NOT NULL
);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");

CREATE TABLE "auth_permission" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED,
    "codename" varchar(100) NOT NULL,
    "name" varchar(255) NOT NULL
);
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");

CREATE TABLE "auth_group" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "name" varchar(150) NOT NULL UNIQUE
);

CREATE TABLE "auth_group_permissions" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED,
    "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");

CREATE TABLE "auth_user" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "password" varchar(128) NOT NULL,
    "last_login" datetime NULL,
    "is_superuser" bool NOT NULL,
    "username" varchar(150) NOT NULL UNIQUE,
    "last_name" varchar(150) NOT NULL,
    "email" varchar(254) NOT NULL,
    "is_staff" bool NOT NULL,
    "is_active" bool NOT NULL,
    "date_joined" datetime NOT NULL,
    "first_name" varchar(150) NOT NULL
);

CREATE TABLE "auth_user_groups" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
    "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX "auth_user_groups_user_id_group_id_94350c0c_uniq" ON "auth_user_groups" ("user_id", "group_id");
CREATE INDEX "auth_user_groups_user_id_6a12ed8b" ON "auth_user_groups" ("user_id");
CREATE INDEX "auth_user_groups_group_id_97559544" ON "auth_user_groups" ("group_id");

CREATE TABLE "auth_user_user_permissions" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
    "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED
);
CREATE UNIQUE INDEX "auth_user_user_permissions_user_id_permission_id_14a6b632_uniq" ON "auth_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "auth_user_user_permissions_user_id_a95ead1b" ON "auth_user_user_permissions" ("user_id");
CREATE INDEX "auth_user_user_permissions_permission_id_1fbb5f2c" ON "auth_user_user_permissions" ("permission_id");

CREATE TABLE "django_admin_log" (
    "id" integer NOT NULL PRIMARY KEY AUTOINCREMENT,
    "action_time" datetime NOT NULL,
    "object_id" text NULL,
    "object_repr" varchar(200) NOT NULL,
    "change_message" text NOT NULL,
    "content_type_id" integer NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED,
    "user_id" integer NOT NULL REFERENCES "auth_user" ("id") DEFERRABLE INITIALLY DEFERRED,
    "action_flag" smallint unsigned NOT NULL CHECK ("action_flag" >= 0)
);
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id");
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id");

CREATE TABLE "django_session" (
    "session_key" varchar(40) NOT NULL PRIMARY KEY,
    "session_data" text NOT NULL,
    "expire_date" datetime NOT NULL
);
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");

INSERT INTO django_migrations (id, app, name, applied) VALUES
    (1, 'contenttypes', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (2, 'auth', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (3, 'admin', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (4, 'admin', '0002_logentry_remove_auto_add', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (5, 'admin', '0003_logentry_add_action_flag_choices', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (6, 'contenttypes', '0002_remove_content_type_name', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (7, 'auth', '0002_alter_permission_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (8, 'auth', '0003_alter_user_email_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (9, 'auth', '0004_alter_user_username_opts', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (10, 'auth', '0005_alter_user_last_login_null', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (11, 'auth', '0006_require_contenttypes_0002', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (12, 'auth', '0007_alter_validators_add_error_messages', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (13, 'auth', '0008_alter_user_username_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (14, 'auth', '0009_alter_user_last_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (15, 'auth', '0010_alter_group_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (16, 'auth', '0011_update_proxy_permissions', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (17, 'auth', '0012_alter_user_first_name_max_length', strftime('%Y-%m-%d %H:%M:%f', 'now')),
    (18, 'sessions', '0001_initial', strftime('%Y-%m-%d %H:%M:%f', 'now'));

INSERT INTO django_content_type (id, app_label, model) VALUES
    (1, 'admin', 'logentry'),
    (2, 'auth', 'permission'),
    (3, 'auth', 'group'),
    (4, 'auth', 'user'),
    (5, 'contenttypes', 'contenttype'),
    (6, 'sessions', 'session');

INSERT INTO auth_permission (id, content_type_id, codename, name) VALUES
    (1, 1, 'add_logentry', 'Can add log entry'),
    (2, 1, 'change_logentry', 'Can change log entry'),
    (3, 1, 'delete_logentry', 'Can delete log entry'),
    (4, 1, 'view_logentry', 'Can view log entry'),
    (5, 2, 'add_permission', 'Can add permission'),
    (6, 2, 'change_permission', 'Can change permission'),
    (7, 2, 'delete_permission', 'Can delete permission'),
    (8, 2, 'view_permission', 'Can view permission'),
    (9, 3, 'add_group', 'Can add group'),
    (10, 3, 'change_group', 'Can change group'),
    (11, 3, 'delete_group', 'Can delete group'),
    (12, 3, 'view_group', 'Can view group'),
    (13, 4, 'add_user', 'Can add user'),
    (14, 4, 'change_user', 'Can change user'),
    (15, 4, 'delete_user', 'Can delete user'),
    (16, 4, 'view_user', 'Can view user'),
    (17, 5, 'add_contenttype', 'Can add content type'),
    (18, 5, 'change_contenttype', 'Can change content type'),
    (19, 5, 'delete_contenttype', 'Can delete content type'),
    (20, 5, 'view_contenttype', 'Can view content type'),
    (21, 6, 'add_session', 'Can add session'),
    (22, 6, 'change_session', 'Can change session'),
    (23, 6, 'delete_session', 'Can delete session'),
    (24, 6, 'view_session', 'Can view session');
