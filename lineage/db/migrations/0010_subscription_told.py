from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('lineage_db', '0009_source_pending'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscription',
            name='told_gone',
            field=models.TextField(blank=True, default='', help_text='storages that were told to be gone, one a line'),
            preserve_default=False,
        ),
    ]
