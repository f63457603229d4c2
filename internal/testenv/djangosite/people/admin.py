from django.contrib import admin

from .models import Person


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    filter_horizontal = ["groups", "user_permissions"]
    exclude = ["password", "last_login"]
